// Runs the HTTP receiver of an unmodified @zoom/rivet, with the installation by OAuth.
// Arguments: webhook secret, client id, client secret, events (separated by commas). The first line of output is the
// port; then each accepted event, and each stored token, is a line of JSON.
const { randomBytes } = require("node:crypto");
const { HttpReceiver, MeetingsOAuthClient } = require("@zoom/rivet/meetings");

const [webhooksSecretToken, clientId, clientSecret, port, events] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let latest;
const client = new MeetingsOAuthClient({
    clientId,
    clientSecret,
    tokenStore: { getLatestToken: () => latest, storeToken: (token) => print({ token: (latest = token) }) },
    receiver: new HttpReceiver({ webhooksSecretToken, port, endpoints: ["/zoom/events"] }),
    installerOptions: { redirectUri: `http://127.0.0.1:${port}`, stateStore: randomBytes(24).toString("hex") },
});
for (const event of events.split(",")) client.webEventConsumer.event(event, (body) => print({ event: body }));
client.start().then((server) => print({ port: server.address().port }));
