// The Node SDK against the embedded model: node mini.mjs BASE_URL KEY → one JSON document.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const asked = { model: "mini", messages, temperature: 0, max_tokens: 20 };

const whole = await client.chat.completions.create(asked);
const stream = await client.chat.completions.create({
  ...asked,
  stream: true,
  stream_options: { include_usage: true },
});
let streamed = "";
let usage = null;
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
const embedded = await client.embeddings.create({ model: "all-minilm-l6-v2", input: ["a cat", "a kitten", "tax law"] });
console.log(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    model: whole.model,
    streamed,
    usage,
    vectors: embedded.data.map((item) => item.embedding),
  }),
);
