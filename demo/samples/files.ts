/** What lies in the demo's folder: a household's papers, one of each kind that the viewer shows. */

import { docx, pptx, xlsx } from "./office.ts";
import { pdf, png, wav } from "./plain.ts";

/** A hill at dusk: enough of a picture to see that it is one. */
const dusk = png(640, 400, (x, y) => {
  const hill = 260 + 40 * Math.sin(x / 90) + 20 * Math.sin(x / 37);
  if (y > hill) return [30, 91 - Math.min(60, (y - hill) / 4), 79];
  const sun = (x - 430) ** 2 + (y - 190) ** 2 < 44 ** 2;
  return sun ? [217, 174, 90] : [250 - y / 8, 236 - y / 4, 216 - y / 3];
});

/** A bell: a strike that dies away. */
const bell = wav(3, (at) => {
  const tone = (hertz: number, dies: number) =>
    Math.sin(2 * Math.PI * hertz * at) * Math.exp(-at * dies);
  return 0.4 * tone(660, 1.4) + 0.2 * tone(1320, 2.2) + 0.1 * tone(1782, 3.5);
});

const notes = `# The garden

What grows where, and who waters it.

| Bed | Plant | Water |
| --- | --- | --- |
| By the wall | Tomatoes | every day |
| Under the pear | Ferns | twice a week |

## Before winter

- [x] Bring in the **lemon tree**
- [ ] Empty the rain barrel
- [ ] Cover the roses

> Whoever reads this on the train: the rain barrel is still full.

See also [the almanac](https://example.org/almanac).
`;

/** By name. */
export const samples: Readonly<Record<string, string | Uint8Array>> = {
  "bell.wav": bell,
  "dusk.png": dusk,
  "garden.md": notes,
  "heating.xlsx": xlsx({
    "Last winter": [
      ["Month", "Read on", "kWh", "Share"],
      ["October", { day: 45961 }, 412, { percent: 0.0842 }],
      ["November", { day: 45991 }, 836, { percent: 0.1709 }],
      ["December", { day: 46022 }, 1187, { percent: 0.2427 }],
      ["January", { day: 46053 }, 1304.5, { percent: 0.2667 }],
      ["February", { day: 46081 }, 1151, { percent: 0.2354 }],
    ],
    Prices: [
      ["Supplier", "per kWh"],
      ["Stadtwerke", 0.31],
      ["Cooperative", 0.27],
    ],
  }),
  "house-rules.docx": docx([
    "# House rules",
    "The key hangs behind the door. Whoever leaves last turns off the light in the cellar.",
    "Guests find towels in the chest under the stairs. The third stair creaks; it always has.",
    "# If something breaks",
    "Water off: the red wheel in the cellar, to the right. Then call Mara.",
  ]),
  "insurance.pdf": pdf([
    {
      title: "Household insurance",
      lines: [
        "The contents of the house are insured against fire, water and theft.",
        "Tell us within seven days of a loss, with a list of what is gone.",
      ],
    },
    {
      title: "What is not insured",
      lines: ["Cash beyond 1,000, and whatever stood outside without a lock."],
    },
  ]),
  "summer.pptx": pptx([
    { title: "Where we go this summer", lines: ["Three ideas", "One vote each"] },
    {
      title: "The hut above the lake",
      lines: ["No road, no net", "Two beds too few"],
      picture: dusk,
    },
  ]),
};
