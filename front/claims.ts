/**
 * Whose each label of the zone is, and what stands at and below it. A label that changes hands is told by
 * two devices for a moment, in any order: the one that came to it last has it, however often the one before
 * tells it once more, and the one before has it again only when the last one lets it go.
 */

/** What stands at each name of one label, by the name as it is on the wire; the label's own among them. */
export type Names<Node> = ReadonlyMap<string, Node>;

interface Claim<Node> {
  readonly id: string;
  readonly names: Names<Node>;
}

export class Claims<Node extends { readonly id: string }> {
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
      if (!labels.has(label)) this.#hide(label, claims, id, null);
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
    const claims = this.#hidden.get(label) ?? [];
    if (claims.some((one) => one.id === id)) {
      this.#hide(label, claims, id, names);
      return;
    }
    const holder = this.#nodes.get(label)?.id;
    if (holder !== undefined) {
      const theirs = this.of(holder).filter((name) => name.endsWith(label));
      const lifted = new Map(theirs.map((name) => [name, this.#nodes.get(name) as Node]));
      for (const name of theirs) this.#nodes.delete(name);
      this.#hold(
        holder,
        this.of(holder).filter((name) => !lifted.has(name)),
      );
      this.#hidden.set(label, [...claims, { id: holder, names: lifted }]);
    }
    this.#install(id, names);
  }

  /** Who came to it last of those that still tell it. */
  #restore(label: string): void {
    const claims = this.#hidden.get(label) ?? [];
    const last = claims.at(-1);
    if (last === undefined) return;
    this.#hide(label, claims, last.id, null);
    this.#install(last.id, last.names);
  }

  /** @param names null: the device tells nothing of it any more */
  #hide(
    label: string,
    claims: readonly Claim<Node>[],
    id: string,
    names: Names<Node> | null,
  ): void {
    const after = claims.flatMap((one) =>
      one.id !== id ? [one] : names === null ? [] : [{ id, names }],
    );
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
