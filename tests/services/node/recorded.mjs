// The unmodified Node SDKs of OpenAI and Anthropic, asked what is in a file of [{ id, sdk, body }]: prints by id
// what each gave, a whole answer, the events of a stream, or an error.
import fs from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [url, apiKey, file] = process.argv.slice(2);
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const ask = {
  openai: (body) => openai.chat.completions.create(body),
  anthropic: (body) => anthropic.messages.create(body),
};
const got = {};
for (const { id, sdk, body } of JSON.parse(fs.readFileSync(file, "utf8"))) {
  try {
    const answer = await ask[sdk](body);
    if (body.stream) {
      got[id] = [];
      for await (const event of answer) got[id].push(event);
    } else {
      got[id] = answer;
    }
  } catch (error) {
    got[id] = { thrown: error.constructor.name, status: error.status ?? null, said: error.message };
  }
}
console.log(JSON.stringify(got));
