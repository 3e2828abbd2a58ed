// Drives a simulated Zoom with an unmodified @zoom/rivet. Reads one job from standard input:
// {"grant": "s2s", "accountId", "clientId", "clientSecret", "calls": [["meetings", "getMeeting", {...}], ...]}
// or {"grant": "oauth", "token": {...}, ...} with a token store that is filled.
// Writes [{"data": ...} or {"error": ...}, ...] to standard output, one entry for each call.
const { readFileSync } = require("node:fs");
const { MeetingsOAuthClient, MeetingsS2SAuthClient } = require("@zoom/rivet/meetings");
const { UsersOAuthClient, UsersS2SAuthClient } = require("@zoom/rivet/users");

const job = JSON.parse(readFileSync(0, "utf8"));
let latest = job.token;
const tokenStore = { getLatestToken: () => latest, storeToken: (token) => void (latest = token) };
const options = { clientId: job.clientId, clientSecret: job.clientSecret, tokenStore, disableReceiver: true };
options.installerOptions = {}; // the constructor of an OAuth client reads it
const clients =
    job.grant === "s2s"
        ? { meetings: MeetingsS2SAuthClient, users: UsersS2SAuthClient }
        : { meetings: MeetingsOAuthClient, users: UsersOAuthClient };
if (job.grant === "s2s") options.accountId = job.accountId;
const endpoints = {};
for (const [name, Client] of Object.entries(clients)) endpoints[name] = new Client(options).endpoints;

async function main() {
    const answers = [];
    for (const [client, group, call, args] of job.calls) {
        try {
            answers.push({ data: (await endpoints[client][group][call](args)).data });
        } catch (error) {
            answers.push({ error: `${error.name}: ${error.message}` });
        }
    }
    process.stdout.write(JSON.stringify({ answers, token: latest }));
}

main();
