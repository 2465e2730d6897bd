-- wrk: bare POSTs of one Job's bytes, each under a name of its own.
local file = io.open(os.getenv("BENCH_BODY"))
local body = file:read("*a")
file:close()
local headers = {["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN"), ["Content-Type"] = "application/json"}
local round, count, threads = os.getenv("BENCH_ROUND"), 0, 0
function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end
function request()
  count = count + 1
  local name = string.format("w-%s-%s-%d", round, number, count)
  return wrk.format("POST", nil, headers, (body:gsub("BENCHNAME", name)))
end
function done(summary)
  io.write(string.format("created %d in %d\n", summary.requests - summary.errors.status, summary.duration))
end
