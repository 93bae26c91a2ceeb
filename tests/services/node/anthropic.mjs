// The unmodified Anthropic SDK for Node, asking an OpenAI model: prints what it got as one JSON document.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: process.argv[3], maxRetries: 0 });
const asked = (model) => ({ model, max_tokens: 64, messages: [{ role: "user", content: "Say it." }] });
const got = {};

const whole = await client.messages.create(asked("mine/plain"));
got.whole = [whole.content[0].text, whole.stop_reason, whole.usage.output_tokens > 0];

const stream = client.messages.stream(asked("mine/plain"));
got.streamed = (await stream.finalMessage()).content[0].text;

const calling = client.messages.stream({
  ...asked("mine/calls"),
  tools: [{ name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }],
});
const call = await calling.finalMessage();
got.call = [call.stop_reason, call.content[0].name, call.content[0].input];

const fails = async (name, ask) => {
  try {
    await ask();
    got[name] = "nothing was thrown";
  } catch (error) {
    got[name] = [error.constructor.name, error.status ?? null, error.error?.error?.type ?? null];
  }
};
await fails("limited", () => client.messages.create(asked("mine/limited")));
await fails("cut", () => client.messages.stream(asked("mine/cut")).finalMessage());

console.log(JSON.stringify(got));
