// A host written with the TypeScript SDK of either generation; `typescript.py` runs it from among its packages.
// Reads {generation, version, command, args, env, url, token} and prints what it was given.
const asked = JSON.parse(process.argv[2]);

async function sdk() {
  if (asked.generation === 1) {
    const [client, stdio, http] = await Promise.all(
      ["index", "stdio", "streamableHttp"].map((name) => import(`@modelcontextprotocol/sdk/client/${name}.js`)),
    );
    return { ...client, ...stdio, ...http };
  }
  const [client, stdio] = await Promise.all(
    ["@modelcontextprotocol/client", "@modelcontextprotocol/client/stdio"].map((name) => import(name)),
  );
  return { ...client, ...stdio };
}

const { Client, StdioClientTransport, StreamableHTTPClientTransport } = await sdk();
const options = asked.version ? { versionNegotiation: { mode: { pin: asked.version } } } : {};
const client = new Client({ name: "handout", version: "0" }, options);
const headers = { Authorization: `Bearer ${asked.token}` };
await client.connect(
  asked.url
    ? new StreamableHTTPClientTransport(new URL(asked.url), { requestInit: { headers } })
    : new StdioClientTransport({ command: asked.command, args: asked.args, env: asked.env }),
);
const { tools } = await client.listTools();
const search = { name: "search_medical_images", arguments: { query: "left pleural effusion", limit: 2 } };
const { structuredContent: page } = await client.callTool(search);
const sparse = { name: "search_medical_images", arguments: { split: "train", limit: 1 } };
await client.callTool(sparse); // the SDK checks it against the output schema
const view = { name: "view_image", arguments: { image_id: page.images[0].image_id, max_px: 128 } };
const { content } = await client.callTool(view);
const refused = await client.callTool({ name: "view_image", arguments: { image_id: "nothing" } });
console.log(
  JSON.stringify({
    server: client.getServerVersion(),
    tools: tools.map(({ name }) => name),
    found: page.images.map(({ labels }) => labels?.["Pleural Effusion"]),
    picture: content.find(({ type }) => type === "image"),
    refused: refused.isError && refused.content[0].text,
  }),
);
await client.close();
