-- A line of a workload as it is kept: whose it is, where it was written, what it says.
--
-- Comes in: fluent-bit's record with the pod's labels. Goes out: the fields of the index
-- sentinels-logs; nil where the pod is none of ours. A line's id is what it is, where and when it was
-- written, so that a file that is read twice leaves each line once.

local function label(kubernetes, name)
  return (kubernetes.labels or {})["sentinels.dev/" .. name]
end

function record(tag, timestamp, found)
  local kubernetes = found["kubernetes"]
  if kubernetes == nil or label(kubernetes, "job") == nil then
    return -1, 0, 0
  end
  local message = found["log"] or found["message"] or ""
  local written = string.format("%d.%09d", timestamp["sec"], timestamp["nsec"])
  local line = {
    job = tonumber(label(kubernetes, "job")),
    attempt = tonumber(label(kubernetes, "attempt")),
    team = label(kubernetes, "team"),
    user = (kubernetes.annotations or {})["sentinels.dev/user"],
    node = kubernetes.host,
    pod = kubernetes.pod_name,
    stream = found["stream"],
    message = message,
    id = table.concat({kubernetes.pod_id or "", written, found["stream"] or "", #message}, "-"),
  }
  return 1, timestamp, line
end
