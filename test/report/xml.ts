/** A strict reader of the XML that SVG files are made of: enough to prove a picture well-formed, and to ask for its text. */

/** An element, its attributes and its children, text included. */
export interface XmlNode {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: (XmlNode | string)[];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** Throws at the first thing that is not well-formed XML (elements, attributes and text; nothing else is used here). */
export function parseXml(source: string): XmlNode {
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(source)) throw new Error("a forbidden character");
  let at = 0;
  const fail = (why: string): never => {
    throw new Error(`${why} at ${at}: ${source.slice(Math.max(0, at - 30), at + 30)}`);
  };
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match === null) return undefined;
    at += match[0].length;
    return match[0];
  };
  const unescaped = (text: string): string =>
    text.replace(/&([^;&]*)(;?)/g, (whole, name: string, end: string) =>
      end === ";" && name in ENTITIES ? (ENTITIES[name] as string) : fail(`a bare or unknown entity ${whole}`),
    );
  const parseElement = (): XmlNode => {
    if (take(/</y) === undefined) fail("no element");
    const name = take(/[A-Za-z][\w:.-]*/y) ?? fail("no name");
    const attributes = new Map<string, string>();
    for (;;) {
      const space = take(/\s+/y);
      if (take(/\/>/y) !== undefined) return { name, attributes, children: [] };
      if (take(/>/y) !== undefined) break;
      if (space === undefined) fail("no space before an attribute");
      const key = take(/[A-Za-z_:][\w:.-]*/y) ?? fail("no attribute name");
      if (take(/="/y) === undefined) fail("no value");
      const value = take(/[^"<]*/y) ?? "";
      if (take(/"/y) === undefined) fail("an open value");
      if (attributes.has(key)) fail(`${key} twice`);
      attributes.set(key, unescaped(value));
    }
    const children: (XmlNode | string)[] = [];
    for (;;) {
      const text = take(/[^<]+/y);
      if (text !== undefined) {
        if (text.includes("]]>")) fail("]]> in text");
        children.push(unescaped(text));
      }
      if (at >= source.length) fail(`${name} is not closed`);
      if (take(/<\//y) !== undefined) {
        if (take(/[A-Za-z][\w:.-]*/y) !== name) fail(`not the end of ${name}`);
        if (take(/\s*>/y) === undefined) fail("an open end tag");
        return { name, attributes, children };
      }
      children.push(parseElement());
    }
  };
  const root = parseElement();
  take(/\s*/y);
  if (at !== source.length) fail("something after the root");
  return root;
}

/** The content of every `text` element, in order. */
export function textsOf(node: XmlNode): string[] {
  const own = node.name === "text" ? [node.children.filter((child) => typeof child === "string").join("")] : [];
  return [...own, ...node.children.flatMap((child) => (typeof child === "string" ? [] : textsOf(child)))];
}
