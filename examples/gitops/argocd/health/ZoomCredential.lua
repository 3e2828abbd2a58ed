-- Health of a ZoomCredential. Suspended: it waits for a person, on purpose or by its nature, and nothing is wrong.
-- Degraded: somebody has to mend something. Progressing: it may become well by itself, as Secrets or Zoom come.
local waits = {WaitingForConsent = true, Suspended = true}
local comes = {AppSecretMissing = true, GrantSecretMissing = true, ZoomUnavailable = true}

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
local rejected = told.GrantRejected
if rejected ~= nil and rejected.status == "True" then
  return {status = "Degraded", message = message .. " GrantRejected: " .. (rejected.message or "")}
end
if ready.status == "True" then
  return {status = "Healthy", message = message}
end
local stalled = told.Stalled
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = message}
end
if waits[ready.reason] then
  return {status = "Suspended", message = message}
end
if comes[ready.reason] then
  return {status = "Progressing", message = message}
end
return {status = "Degraded", message = message}
