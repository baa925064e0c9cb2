// Prints what words.js makes of the calls on standard input, [[name, [arguments]], ..].
import { readFileSync } from "node:fs";
import * as words from "./page/words.js";

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(([name, given]) => words[name](...given))));
