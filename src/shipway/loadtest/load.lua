-- Runs in wrk: bodies in turn, think times between requests if a rate is wanted, numbers as JSON.
-- wrk counts a status above 399 as an error; such answers are never throughput.
local pause = tonumber(os.getenv("LOAD_PAUSE_MS") or "0")
local messages, turn = {}, 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  for line in io.lines(os.getenv("LOAD_BODIES")) do
    wrk.body = line
    messages[#messages + 1] = wrk.format()
  end
end

function request()
  turn = turn % #messages + 1
  return messages[turn]
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
    'RESULT {"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50": %f, "p90": %f, "p99": %f, "mean": %f}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.mean))
end
