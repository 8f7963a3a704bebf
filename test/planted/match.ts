/**
 * Patterns over source text: how a planted bug finds its place, so that it survives renames, moves and reformatting.
 *
 *     pattern   store<u32>($zone, load<u32>($zone, $mask) | (1 << $cls), $mask);
 *     source      store<u32>(zone, load<u32>(zone, Z_AVAILABLE) | (1 << cls), Z_AVAILABLE);
 *
 * Both are cut into tokens; white space and comments do not count. `$name` matches one identifier or number, the same one
 * wherever it stands in a pattern, and stands for what it matched in the replacement. Everything else matches itself.
 *
 * A pattern is looked for in every file of a folder. Where it stands there once, that is the place. Where it stands more
 * often, `within` names the function or method whose body it is in.
 */

/** A piece of source text. */
export interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A place where a pattern matches: from `start` to `end`, and what each `$name` stands for. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly names: ReadonlyMap<string, string>;
}

const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|[#$]?[A-Za-z_][\w$]*|\d[\w.]*|[\s\S]/g;

/** The tokens of a text, without white space and comments. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const [piece] = match;
    if (/^(?:\s|\/\/|\/\*)/.test(piece)) continue;
    tokens.push({ text: piece, start: match.index, end: match.index + piece.length });
  }
  return tokens;
}

/** Every place in `tokens`, from index `from` to before `to`, where the pattern matches. */
export function matchesOf(pattern: string, tokens: readonly Token[], from = 0, to: number = tokens.length): Match[] {
  const wanted = tokensOf(pattern).map((token) => token.text);
  const found: Match[] = [];
  if (wanted.length === 0) return found;
  for (let at = from; at + wanted.length <= to; at++) {
    const names = new Map<string, string>();
    const fits = wanted.every((want, i) => {
      const { text } = tokens[at + i] as Token;
      if (!want.startsWith("$")) return want === text;
      const known = names.get(want);
      if (known !== undefined) return known === text;
      if (!/^[#\w]/.test(text)) return false;
      names.set(want, text);
      return true;
    });
    if (!fits) continue;
    found.push({ start: (tokens[at] as Token).start, end: (tokens[at + wanted.length - 1] as Token).end, names });
  }
  return found;
}

/** The replacement of a match, with its names put in. */
export function replacementOf(put: string, { names }: Match): string {
  return put.replace(/\$[A-Za-z_]\w*/g, (name) => {
    const text = names.get(name);
    if (text === undefined) throw new Error(`${name} is not in the pattern`);
    return text;
  });
}

/** The bodies of the functions and methods called `name`: ranges of token indices. */
export function bodiesOf(name: string, tokens: readonly Token[]): (readonly [from: number, to: number])[] {
  const bodies: (readonly [number, number])[] = [];
  for (let at = 0; at + 1 < tokens.length; at++) {
    if (tokens[at]?.text !== name || tokens[at + 1]?.text !== "(") continue;
    let next = closing(tokens, at + 1) + 1;
    if (tokens[next]?.text === ":") {
      next++;
      // An object type in braces is skipped; any other type has no brace before the body's.
      if (tokens[next]?.text === "{") next = closing(tokens, next) + 1;
      while (next < tokens.length && !["{", ";", "=", ")"].includes(tokens[next]?.text ?? "")) next++;
    }
    if (tokens[next]?.text === "{") bodies.push([next, closing(tokens, next)]);
  }
  return bodies;
}

const PAIRS: Readonly<Record<string, string>> = { "(": ")", "{": "}", "[": "]" };

/** The token that closes the bracket at `open`. */
function closing(tokens: readonly Token[], open: number): number {
  const opener = tokens[open]?.text ?? "";
  const closer = PAIRS[opener];
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (tokens[at]?.text === opener) depth++;
    else if (tokens[at]?.text === closer && --depth === 0) return at;
  }
  return tokens.length;
}
