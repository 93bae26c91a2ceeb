// The unmodified OpenAI SDK for Node: prints what it got as one JSON document, for a test to judge.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: process.argv[3], maxRetries: 0 });
const messages = [{ role: "user", content: "Say it." }];
const got = {};

const { data: whole, response } = await client.chat.completions
  .create({ model: "mine/plain", messages })
  .withResponse();
got.whole = whole.choices[0].message.content;
got.requestId = whole._request_id;
got.cost = response.headers.get("x-wicket-cost-usd");

const stream = await client.chat.completions.create({
  model: "mine/plain",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
got.streamed = "";
for await (const chunk of stream) {
  got.streamed += chunk.choices[0]?.delta?.content ?? "";
  if (chunk.usage) got.usage = chunk.usage;
}

const calling = client.chat.completions.stream({ model: "mine/calls", messages });
const message = (await calling.finalChatCompletion()).choices[0].message;
got.call = message.tool_calls[0].function;

const parsed = await client.chat.completions.parse({
  model: "mine/json",
  messages,
  response_format: {
    type: "json_schema",
    json_schema: { name: "city", schema: { type: "object", properties: { name: { type: "string" } } } },
  },
});
got.parsed = JSON.parse(parsed.choices[0].message.content);

got.embeddings = (await client.embeddings.create({ model: "mine/plain", input: ["a", "b"] })).data.map(
  (row) => row.embedding.length,
);
got.models = (await client.models.list()).data.map((model) => model.id);

got.errors = {};
const fails = async (name, ask, as = client) => {
  try {
    await ask(as);
    got.errors[name] = "nothing was thrown";
  } catch (error) {
    got.errors[name] = [error.constructor.name, error.status ?? null, error.code ?? null];
  }
};
const chat = (model) => (as) => as.chat.completions.create({ model, messages });
await fails("unknown", chat("nothing-like-it"));
await fails("bad", chat("mine/bad"));
await fails("limited", chat("mine/limited"));
await fails("broken", chat("mine/broken"));
await fails("key", chat("mine/plain"), client.withOptions({ apiKey: "wk-0123456789012345678901234567890" }));
await fails("cut", async (as) => {
  const cut = await as.chat.completions.create({ model: "mine/cut", messages, stream: true });
  for await (const _ of cut);
});

const leaving = await client.chat.completions.create({ model: "mine/endless", messages, stream: true });
for await (const _ of leaving) break; // closes the connection

console.log(JSON.stringify(got));
