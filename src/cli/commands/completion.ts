// `completion`: scripts that let a shell complete commands and options, made from the program itself.

import { Argument, type Command } from "commander";
import type { Context } from "../context.ts";
import type { Run } from "../program.ts";

/** Words that can follow a command: its own commands and options. */
interface Node {
  /** Names from the top, without the program's. */
  readonly path: readonly string[];
  readonly words: readonly string[];
}

function nodesOf(command: Command, path: readonly string[], inherited: readonly string[]): Node[] {
  const options = command.options.map(({ long }) => long).filter((long) => long !== undefined);
  const names = command.commands.map((child) => child.name());
  const words = [...names, ...options, ...inherited, "--help"];
  return [
    { path, words: [...new Set(words)] },
    ...command.commands.flatMap((child) =>
      nodesOf(child, [...path, child.name()], [...inherited, ...options])
    ),
  ];
}

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, words }) =>
    `    "${path.join(" ")}") words="${words.join(" ")}" ;;`
  );
  return `# bash completion of kv: source <(kv completion bash)
_kv() {
  local word path="" words i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    [[ $word == -* ]] || path="\${path:+$path }$word"
  done
  while :; do
    case "$path" in
${cases.join("\n")}
    *" "*) path="\${path% *}"; continue ;;
    *) path=""; continue ;;
    esac
    break
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _kv kv
`;
}

function zsh(nodes: readonly Node[]): string {
  return `#compdef kv\n# zsh completion of kv: source <(kv completion zsh)\nautoload -U +X bashcompinit && bashcompinit\n${
    bash(nodes)
  }`;
}

function fish(nodes: readonly Node[]): string {
  const lines = ["# fish completion of kv: kv completion fish | source", "complete -c kv -f"];
  for (const { path, words } of nodes) {
    const condition = path.length === 0
      ? "__fish_use_subcommand"
      : path.map((name) => `__fish_seen_subcommand_from ${name}`).join("; and ");
    for (const word of words) {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-a ${word}`;
      lines.push(`complete -c kv -n '${condition}' ${what}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const SHELLS = { bash, zsh, fish } as const;

export function addCompletionCommand(program: Command, run: Run): void {
  program.command("completion")
    .addArgument(new Argument("<shell>").choices(Object.keys(SHELLS)))
    .summary("print a script that completes commands in a shell")
    .description("Prints a script that lets a shell complete commands and options.")
    .addHelpText("after", "\n  source <(kv completion bash)")
    .action(run((context: Context, [shell]) => {
      const nodes = nodesOf(program, [], []);
      context.io.out.write(SHELLS[shell as keyof typeof SHELLS](nodes));
      return Promise.resolve();
    }));
}
