/**
 * Whose each label of the zone is, and what stands at and below it. A label that changes hands is told by
 * two devices for a moment, in any order: the one that came to it last has it, however often the one before
 * tells it once more, and the one before has it again only when the last one lets it go. Who that is each says
 * (`since`), for who reads everything anew hears first of whom changed longest ago; where they say the same, it
 * is who told it last.
 */

/** What stands at each name of one label, by the name as it is on the wire; the label's own among them. */
export type Names<Node> = ReadonlyMap<string, Node>;

interface Claim<Node> {
  readonly id: string;
  readonly since: number;
  readonly names: Names<Node>;
}

export class Claims<Node extends { readonly id: string; readonly since: number }> {
  readonly #nodes = new Map<string, Node>();
  /** By device: the names that stand here as its. */
  readonly #held = new Map<string, readonly string[]>();
  /** By label: what devices tell of it that another has, who came to it last at the end. */
  readonly #hidden = new Map<string, readonly Claim<Node>[]>();
  /** Devices that were not named since `begin`; null while nothing is read anew. */
  #unseen: Set<string> | null = null;

  /** How many names there are. */
  get size(): number {
    return this.#nodes.size;
  }

  get(name: string): Node | undefined {
    return this.#nodes.get(name);
  }

  /** The names that stand here as a device's. */
  of(id: string): readonly string[] {
    return this.#held.get(id) ?? [];
  }

  /** Everything is read anew: what is not named until `finish` is gone. */
  begin(): void {
    const hidden = [...this.#hidden.values()].flatMap((claims) => claims.map(({ id }) => id));
    this.#unseen = new Set([...this.#held.keys(), ...hidden]);
  }

  finish(): void {
    for (const id of this.#unseen ?? []) this.put(id, new Map());
    this.#unseen = null;
  }

  /** All that a device has now, by label: its name on the wire. */
  put(id: string, labels: ReadonlyMap<string, Names<Node>>): void {
    this.#unseen?.delete(id);
    for (const [label, claims] of this.#hidden) {
      if (!labels.has(label)) this.#unhide(label, claims, id);
    }
    const before = this.of(id);
    this.#held.delete(id);
    for (const name of before) this.#nodes.delete(name);
    for (const [label, names] of labels) this.#take(id, label, names);
    // Where it had a label that others tell too, and has it no more.
    for (const name of before) {
      if (this.#hidden.has(name) && !this.#nodes.has(name)) this.#restore(name);
    }
  }

  #take(id: string, label: string, names: Names<Node>): void {
    const told = this.#hidden.get(label);
    const holder = this.#nodes.get(label);
    if (told === undefined && holder === undefined) {
      this.#install(id, names);
      return;
    }
    const mine = { id, since: names.get(label)?.since ?? 0, names };
    const before =
      holder === undefined ? (told ?? []) : [...(told ?? []), this.#lift(label, holder)];
    const isKnown = before.some((one) => one.id === id);
    const all = isKnown ? before.map((one) => (one.id === id ? mine : one)) : [...before, mine];
    all.sort((one, other) => one.since - other.since);
    const last = all.pop() ?? mine;
    if (all.length === 0) this.#hidden.delete(label);
    else this.#hidden.set(label, all);
    this.#install(last.id, last.names);
  }

  /** Takes a label from who has it here, with all below it. */
  #lift(label: string, { id, since }: Node): Claim<Node> {
    const theirs = this.of(id).filter((name) => isAtOrBelow(name, label));
    const names = new Map(theirs.map((name) => [name, this.#nodes.get(name) as Node]));
    for (const name of theirs) this.#nodes.delete(name);
    this.#hold(
      id,
      this.of(id).filter((name) => !names.has(name)),
    );
    return { id, since, names };
  }

  /** Who came to it last of those that still tell it. */
  #restore(label: string): void {
    const claims = this.#hidden.get(label) ?? [];
    const last = claims.at(-1);
    if (last === undefined) return;
    this.#unhide(label, claims, last.id);
    this.#install(last.id, last.names);
  }

  /** A device tells nothing of it any more, or has it. */
  #unhide(label: string, claims: readonly Claim<Node>[], id: string): void {
    const after = claims.filter((one) => one.id !== id);
    if (after.length === 0) this.#hidden.delete(label);
    else this.#hidden.set(label, after);
  }

  #install(id: string, names: Names<Node>): void {
    for (const [name, node] of names) this.#nodes.set(name, node);
    this.#hold(id, [...this.of(id), ...names.keys()]);
  }

  #hold(id: string, names: readonly string[]): void {
    if (names.length === 0) this.#held.delete(id);
    else this.#held.set(id, names);
  }
}

/** Whether a name on the wire ends with another: not with octets that look like it, in a longer label. */
function isAtOrBelow(name: string, top: string): boolean {
  let at = 0;
  while (at < name.length - top.length) at += 1 + name.charCodeAt(at);
  return at === name.length - top.length && name.endsWith(top);
}
