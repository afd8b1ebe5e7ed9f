-- Give every scope in KEYS a fresh token and add a lease. ARGV: the token, the lease, its length
-- in milliseconds.

local deadline = string.format('%.0f', now + tonumber(ARGV[3]))
for _, key in ipairs(KEYS) do
  local _, running = read(key, ARGV[2])
  redis.call('SET', key, ARGV[1] .. running .. '|' .. ARGV[2] .. ':' .. deadline)
end
return #KEYS
