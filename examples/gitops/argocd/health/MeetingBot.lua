-- Health of a MeetingBot. Healthy: all is well, be it that the bot waits for tomorrow, runs, or has been there.
-- Suspended: it waits for a person. Degraded: it has failed, or takes an edit. Progressing: what holds it up may pass.
local edit = {InvalidMeeting = true, TemplateInvalid = true}

local status = obj.status or {}
local told = {}
for _, condition in ipairs(status.conditions or {}) do
  told[condition.type] = condition
end

local ready = told.Ready
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not looked at this version of it yet."}
end

local message = ready.reason .. ": " .. (ready.message or "")
local ignored = told.SpecChangeIgnored
if ignored ~= nil and ignored.status == "True" then
  message = message .. " SpecChangeIgnored: " .. (ignored.message or "")
end
if ready.status == "True" then
  return {status = "Healthy", message = message}
end
local stalled = told.Stalled
if edit[ready.reason] or (stalled ~= nil and stalled.status == "True") then
  return {status = "Degraded", message = message}
end
if ready.reason == "Suspended" or status.phase == "WaitingForUser" then
  return {status = "Suspended", message = message}
end
return {status = "Progressing", message = message}
