-- Return the state of every scope in KEYS, after creating missing tokens and removing leases that
-- have run out. ARGV: a fresh token, what kind of scope each is, how long a slice's token is
-- kept.
--
-- A writer whose lease has run out may be dead, and its commit may have happened: the scope gets a
-- fresh token, so that nothing read before or during that commit is ever served again.

local states = {}
for position, key in ipairs(KEYS) do
  local token, running, expired = read(key)
  if not token or expired then
    token = ARGV[1]
    local reply = keep(position, token .. running, ARGV[2], ARGV[3])
    if type(reply) == 'table' and reply.err then
      return reply
    end
  end
  states[position] = token .. running
end
return states
