import { isMap, type Document, type LineCounter, type Node, type Scalar } from 'yaml';

/** 1-based. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type Path = readonly PropertyKey[];

/** Finds the place of the key at a path, or that of the nearest parent that is there. */
export type Placer = (path: Path) => Place;

export function placer(document: Document, lines: LineCounter): Placer {
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const range = rangeOf(document, path.slice(0, length));
      if (!range) continue;
      const { line, col } = lines.linePos(range[0]);
      return { line, column: col };
    }
    return { line: 1, column: 1 };
  };
}

type Range = NonNullable<Node['range']>;

/** Of the key where the parent is a map, else of the value. */
function rangeOf(document: Document, path: Path): Range | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => String((key as Scalar).value) === String(path.at(-1)));
    return (pair?.key as Scalar | undefined)?.range ?? undefined;
  }
  return (document.getIn(path, true) as Node | undefined)?.range ?? undefined;
}
