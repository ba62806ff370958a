-- Runs in wrk: one body, think times between requests if a rate is wanted, numbers as JSON.
-- wrk counts a status above 399 as an error; such answers are never throughput.
local pause = tonumber(os.getenv("BENCH_PAUSE_MS") or "0")

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
  wrk.body = file:read("*a")
  file:close()
  message = wrk.format()
end

function request()
  return message
end

if pause > 0 then
  math.randomseed(7)
  -- Requests of independent clients: exponential, in whole milliseconds that add up right.
  function delay()
    return math.floor(-math.log(1 - math.random()) * pause + math.random())
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50": %f, "p99": %f, "mean": %f}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.mean))
end
