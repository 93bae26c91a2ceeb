// Wicket with OpenAI's SDK for Node (npm install openai): a whole answer, then a streamed one.
//   WICKET_API_KEY=wk-… node examples/chat.mjs "What is the capital of France?"
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: (process.env.WICKET_URL ?? "http://127.0.0.1:4242") + "/v1",
  apiKey: process.env.WICKET_API_KEY,
});
const model = process.env.MODEL ?? "mini";
const question = process.argv[2] ?? "What is the capital of France?";
const request = { model, messages: [{ role: "user", content: question }], temperature: 0, max_tokens: 200 };

const answer = await client.chat.completions.create(request);
console.log(`${answer.model}: ${answer.choices[0].message.content}`);

const stream = await client.chat.completions.create({
  ...request,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  for (const choice of chunk.choices) process.stdout.write(choice.delta.content ?? "");
  if (chunk.usage) console.log(`\n[${chunk.usage.prompt_tokens} + ${chunk.usage.completion_tokens} tokens]`);
}
