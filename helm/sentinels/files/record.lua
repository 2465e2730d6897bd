-- A line of a workload as it is kept: whose it is, where it was written, what it says.
--
-- Comes in: fluent-bit's record of a line, with what Kubernetes says of its pod. Goes out: the fields of
-- src/sentinels/core/log_documents.py; nothing where the pod is none of ours. Of a pod that was deleted
-- before anybody asked, Kubernetes says nothing: whose it was is told by its name and namespace. A line's
-- id is what it is, where and when it was written, so that a file that is read twice leaves each line once.

local PREFIX = "sen-" -- of the teams' namespaces; the chart puts the setting here

local function label(kubernetes, name)
  return (kubernetes.labels or {})["sentinels.dev/" .. name]
end

local function annotation(kubernetes, name)
  return (kubernetes.annotations or {})["sentinels.dev/" .. name]
end

-- Job, attempt and team; nothing where the pod is none of ours.
local function whose(kubernetes, pod, namespace)
  if kubernetes.labels ~= nil then
    return label(kubernetes, "job"), label(kubernetes, "attempt"), label(kubernetes, "team")
  end
  local job, attempt = pod:match("^sentinels%-(%d+)%-(%d+)%-")
  if job ~= nil and namespace:sub(1, #PREFIX) == PREFIX then
    return job, attempt, namespace:sub(#PREFIX + 1)
  end
end

-- Days from 1970 to a date.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local leaps = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leaps + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

-- Seconds and nanoseconds of the time that the container runtime wrote. fluent-bit reads it as a number
-- that does not hold all of it, and may be a nanosecond off.
local function exact(written, timestamp)
  local year, month, day, hour, minute, second, fraction, zone =
    (written or ""):match("^(%d+)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)%.?(%d*)(.*)$")
  if year == nil then
    return timestamp["sec"], timestamp["nsec"]
  end
  local seconds = days(tonumber(year), tonumber(month), tonumber(day)) * 86400
    + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
  local sign, zone_hour, zone_minute = zone:match("^([+-])(%d%d):(%d%d)$")
  if sign ~= nil then
    local offset = tonumber(zone_hour) * 3600 + tonumber(zone_minute) * 60
    seconds = seconds - (sign == "+" and offset or -offset)
  end
  return seconds, tonumber((fraction .. "000000000"):sub(1, 9))
end

local function checksum(text)
  local sum = 0
  for place = 1, #text do
    sum = (sum * 257 + text:byte(place)) % 4294967291
  end
  return sum
end

function record(tag, timestamp, found)
  local kubernetes = found["kubernetes"] or {}
  local tag_pod, tag_namespace = tag:match("([^._/]+)_([^_]+)_[^_]+%.log$")
  local pod = kubernetes.pod_name or tag_pod or ""
  local namespace = kubernetes.namespace_name or tag_namespace or ""
  local job, attempt, team = whose(kubernetes, pod, namespace)
  if job == nil or attempt == nil then
    return -1, 0, 0
  end
  local seconds, nanoseconds = exact(found["time"], timestamp)
  local message = found["log"] or found["message"] or ""
  local at_ns = string.format("%d%09d", seconds, nanoseconds)
  local line = {
    at_ns = at_ns,
    job = tonumber(job),
    attempt = tonumber(attempt),
    workload = "sentinels-" .. job .. "-" .. attempt,
    team = team,
    user = annotation(kubernetes, "user"),
    experiment = annotation(kubernetes, "experiment"),
    node = kubernetes.host or os.getenv("NODE_NAME"),
    pod = pod,
    stream = found["stream"],
    message = message,
    id = table.concat({namespace, pod, at_ns, found["stream"] or "", #message, checksum(message)}, "-"),
  }
  return 1, {sec = seconds, nsec = nanoseconds}, line
end
