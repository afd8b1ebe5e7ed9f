-- Give every scope in KEYS a fresh token and remove one lease. ARGV: the token, the lease,
-- what kind of scope each is, how long a slice's token is kept.
--
-- A full server refuses SET but not DEL, and a missing token is as good as a fresh one: so an
-- invalidation arrives even there. Leases of other writers are lost with the key; they settle too.

for position, key in ipairs(KEYS) do
  local _, running = read(key, ARGV[2])
  local reply = keep(position, ARGV[1] .. running, ARGV[3], ARGV[4])
  if type(reply) == 'table' and reply.err then
    redis.call('DEL', key)
  end
end
return #KEYS
