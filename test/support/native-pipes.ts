/**
 * The pipes that workerd has and Node has not, for simulations of the bulk lane: import it before
 * anything of Link, which looks once whether they are there.
 */

class IdentityPipe extends TransformStream<Uint8Array, Uint8Array> {
  constructor(length: number | null = null) {
    let written = 0;
    super(
      {
        transform(bytes, controller) {
          written += bytes.byteLength;
          if (length !== null && written > length) throw new Error("longer than announced");
          controller.enqueue(bytes);
        },
        flush() {
          if (length !== null && written < length) throw new Error("shorter than announced");
        },
      },
      undefined,
      { highWaterMark: 0 },
    );
  }
}

class FixedLengthPipe extends IdentityPipe {}

Object.assign(globalThis, {
  IdentityTransformStream: IdentityPipe,
  FixedLengthStream: FixedLengthPipe,
});
