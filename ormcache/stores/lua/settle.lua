-- Give every scope in KEYS a fresh token and remove one lease. ARGV: the token, the lease.
--
-- A full server refuses SET but not DEL, and a missing token is as good as a fresh one: so an
-- invalidation arrives even there. Leases of other writers are lost with the key; they settle too.

for _, key in ipairs(KEYS) do
  local _, running = read(key, ARGV[2])
  local reply = redis.pcall('SET', key, ARGV[1] .. running)
  if type(reply) == 'table' and reply.err then
    redis.call('DEL', key)
  end
end
return #KEYS
