-- Health of a MeetingMapping: it is a record and has nothing to become, whether its meeting runs, has ended or is gone.
local phase = (obj.status or {}).phase
if phase == nil then
  return {status = "Healthy", message = "Nothing is known of the meeting but what stands here."}
end
return {status = "Healthy", message = "Meeting: " .. phase}
