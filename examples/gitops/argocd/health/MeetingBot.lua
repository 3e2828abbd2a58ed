-- Health of a MeetingBot. Healthy: the bot waits for its time, runs, or has succeeded. Suspended: it waits for a person.
-- Degraded: it has failed, or its spec needs an edit. Progressing: the problem may resolve by itself.
local needs_edit = {InvalidMeeting = true, TemplateInvalid = true}

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local ready = conditions.Ready
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not processed this version yet."}
end

local message = ready.reason .. ": " .. (ready.message or "")
local ignored = conditions.SpecChangeIgnored
if ignored ~= nil and ignored.status == "True" then
  message = message .. " SpecChangeIgnored: " .. (ignored.message or "")
end
if ready.status == "True" then
  return {status = "Healthy", message = message}
end
local stalled = conditions.Stalled
if needs_edit[ready.reason] or (stalled ~= nil and stalled.status == "True") then
  return {status = "Degraded", message = message}
end
if ready.reason == "Suspended" or status.phase == "WaitingForUser" then
  return {status = "Suspended", message = message}
end
return {status = "Progressing", message = message}
