import { restore } from "../client.mjs";

await restore();
process.exit(0);
