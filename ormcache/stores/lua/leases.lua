-- What does a token key hold, and which of its leases still run? Begins every script.
--
-- "<token>", or "<token>|<lease id>:<deadline ms>|..." while writers are between announce and
-- settle. The deadlines are in this server's time, so hosts need not agree about the hour.

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Keep a token. That of a slice, marked 's' at its place in `kinds`, is dropped after `ttl`
-- milliseconds: there are as many as rows, and a missing token is as good as a fresh one. Not while
-- there are leases beside it: a server short of memory may drop what has an end before its time.
local function keep(position, value, kinds, ttl)
  if string.sub(kinds, position, position) == 's' and not string.find(value, '|', 1, true) then
    return redis.pcall('SET', KEYS[position], value, 'PX', ttl)
  end
  return redis.pcall('SET', KEYS[position], value)
end

-- Return the token (nil: nothing of ours is there), the text of the leases that still run, and
-- whether others have run out. The lease `own`, if given, is left out of both.
local function read(key, own)
  -- A key of another type counts as missing, and SET replaces it. Any other refusal must not: what
  -- this user may not read may hold the leases of others.
  local raw = redis.pcall('GET', key)
  if type(raw) == 'table' and raw.err and not string.find(raw.err, 'WRONGTYPE', 1, true) then
    error(raw.err)
  end
  if type(raw) ~= 'string' then
    return nil, '', false
  end
  local token, rest = string.match(raw, '^([%w_-]+)(.*)$')
  if not token or #token ~= 16 then
    return nil, '', false
  end
  local running, expired, understood = '', false, 0
  for lease, deadline in string.gmatch(rest, '|([^|:]+):(%d+)') do
    understood = understood + #lease + #deadline + 2
    if lease ~= own then
      if tonumber(deadline) > now then
        running = running .. '|' .. lease .. ':' .. deadline
      else
        expired = true
      end
    end
  end
  if understood ~= #rest then
    return nil, '', false
  end
  return token, running, expired
end
