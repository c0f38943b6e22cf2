// What actions/cache does with its inputs, by the client that it uses itself.
import { appendFileSync } from "node:fs";

// From where the tests have it: act copies every action for every job.
const { restoreCache, saveCache } = await import(process.env.CACHE_CLIENT);

const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
const lines = (name) => input(name).split("\n").map((line) => line.trim()).filter(Boolean);
const output = (name, value) => appendFileSync(process.env.GITHUB_OUTPUT, `${name}=${value}\n`);

export async function restore() {
  const found = await restoreCache(lines("path"), input("key"), lines("restore-keys"));
  output("cache-primary-key", input("key"));
  output("cache-matched-key", found ?? "");
  output("cache-hit", found === undefined ? "" : String(found === input("key")));
}

export async function save() {
  await saveCache(lines("path"), input("key"));
}
