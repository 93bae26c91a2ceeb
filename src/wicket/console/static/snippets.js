// A request as people paste it into a shell or a file: curl, Python, Node, Java, and the bare address.

export function snippets(base, key, request) {
  return [
    ["curl", curl(base, key, request)],
    ["Python", python(base, key, request)],
    ["Node", node(base, key, request)],
    ["Java", java(base, key, request)],
    ["Other tools", other(base, key, request)],
  ];
}

// In single quotes a shell reads nothing but the quote itself.
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl(base, key, request) {
  return [
    `curl ${quoted(`${base}/chat/completions`)} \\`,
    `  -H ${quoted(`Authorization: Bearer ${key}`)} \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d ${quoted(JSON.stringify(request, null, 2))}`,
  ].join("\n");
}

// JSON is Python too, but for three words; those stand in no text that we put there outside of quotes.
function python(base, key, request) {
  const { model, messages, ...rest } = request;
  const more = Object.entries(rest).map(([name, value]) => `    ${name}=${literal(value)},`);
  return [
    "# pip install openai",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${literal(base)}, api_key=${literal(key)})`,
    "answer = client.chat.completions.create(",
    `    model=${literal(model)},`,
    `    messages=${literal(messages, 1)},`,
    ...more,
    ")",
    "print(answer.choices[0].message.content)",
  ].join("\n");
}

function literal(value, depth = 0) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) {
    const inner = "    ".repeat(depth + 1);
    return `[\n${value.map((one) => `${inner}${literal(one)},\n`).join("")}${"    ".repeat(depth)}]`;
  }
  if (typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function node(base, key, request) {
  return [
    "// npm install openai; save as ask.mjs",
    'import OpenAI from "openai";',
    "",
    `const client = new OpenAI({ baseURL: ${JSON.stringify(base)}, apiKey: ${JSON.stringify(key)} });`,
    `const answer = await client.chat.completions.create(${JSON.stringify(request, null, 2)});`,
    "console.log(answer.choices[0].message.content);",
  ].join("\n");
}

// Java's own client, so that nothing needs installing: `java Ask.java`.
function java(base, key, request) {
  return [
    "// java Ask.java (Java 17 or newer)",
    "import java.net.URI;",
    "import java.net.http.*;",
    "",
    "public class Ask {",
    "    public static void main(String[] args) throws Exception {",
    `        String body = ${JSON.stringify(JSON.stringify(request))};`,
    `        HttpRequest request = HttpRequest.newBuilder(URI.create(${JSON.stringify(`${base}/chat/completions`)}))`,
    `            .header("Authorization", ${JSON.stringify(`Bearer ${key}`)})`,
    '            .header("Content-Type", "application/json")',
    "            .POST(HttpRequest.BodyPublishers.ofString(body)).build();",
    "        System.out.println(HttpClient.newHttpClient()",
    "            .send(request, HttpResponse.BodyHandlers.ofString()).body());",
    "    }",
    "}",
  ].join("\n");
}

function other(base, key, request) {
  return [`Base URL   ${base}`, `API key    ${key}`, `Model      ${request.model}`, "", `Anthropic's tools take the address without /v1:  ${base.replace(/\/v1$/, "")}`].join("\n");
}
