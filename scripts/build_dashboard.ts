// `deno task build:dashboard`: bundles the dashboard's page (src/dashboard/page) with the libraries it uses into
// src/dashboard/script.ts, which nodes serve. Run it after every change there; a test compares.

const ROOT = new URL("../", import.meta.url);
const ENTRY = "src/dashboard/page/main.tsx";
export const SCRIPT_PATH = "src/dashboard/script.ts";

const HEAD =
  `// Made by \`deno task build:dashboard\` from src/dashboard/page, Hono's JSX (MIT) and uPlot (MIT).
// deno-fmt-ignore-file
// deno-lint-ignore-file
export const PAGE_SCRIPT: string = `;

function pathOf(relative: string): string {
  return decodeURIComponent(new URL(relative, ROOT).pathname);
}

/** The text of src/dashboard/script.ts as it should be. Throws if the bundler fails. */
export async function dashboardScript(): Promise<string> {
  const out = Deno.makeTempFileSync({ suffix: ".js" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--quiet",
        "--minify",
        "--platform",
        "browser",
        "--output",
        out,
        pathOf(ENTRY),
      ],
      cwd: pathOf("."),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(`Cannot bundle the dashboard: ${new TextDecoder().decode(stderr)}`);
    }
    // Within a script element nothing may look like its end.
    const script = Deno.readTextFileSync(out).trim().replaceAll("</", "<\\/");
    return `${HEAD}${JSON.stringify(script)};\n`;
  } finally {
    Deno.removeSync(out);
  }
}

if (import.meta.main) {
  const text = await dashboardScript();
  Deno.writeTextFileSync(pathOf(SCRIPT_PATH), text);
  console.log(`${SCRIPT_PATH}: ${Math.round(text.length / 1024)} KiB`);
}
