-- Health of a MeetingMapping: it is a record, and always healthy.
local phase = (obj.status or {}).phase
if phase == nil then
  return {status = "Healthy", message = "No webhook or sync has reported this meeting yet."}
end
return {status = "Healthy", message = "Meeting: " .. phase}
