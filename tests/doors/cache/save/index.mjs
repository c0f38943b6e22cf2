import { save } from "../client.mjs";

await save();
process.exit(0);
