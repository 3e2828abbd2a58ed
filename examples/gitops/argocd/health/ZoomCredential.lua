-- Health of a ZoomCredential. Suspended: it waits for a person, and nothing is wrong. Degraded: a person must correct
-- something. Progressing: it may resolve by itself, when a Secret appears or Zoom answers.
local waiting = {WaitingForConsent = true, Suspended = true}
local resolving = {AppSecretMissing = true, GrantSecretMissing = true, ZoomUnavailable = true}

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
local rejected = conditions.GrantRejected
if rejected ~= nil and rejected.status == "True" then
  return {status = "Degraded", message = message .. " GrantRejected: " .. (rejected.message or "")}
end
if ready.status == "True" then
  return {status = "Healthy", message = message}
end
local stalled = conditions.Stalled
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = message}
end
if waiting[ready.reason] then
  return {status = "Suspended", message = message}
end
if resolving[ready.reason] then
  return {status = "Progressing", message = message}
end
return {status = "Degraded", message = message}
