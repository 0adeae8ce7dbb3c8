/** The front page: what Latchkey is, what it does today, and what it honestly does not. */

import { Icon } from "../components/icons.tsx";

export function FrontPage() {
  return (
    <>
      <section class="hero">
        <div>
          <h1>Your box stays at home. You can still reach it.</h1>
          <p class="lead">
            Latchkey gives the storage box, camera recorder or small robot in your home a name, a
            door, and keys that only you hand out. Nothing to open on your router, nothing moved to
            a cloud.
          </p>
          <p class="actions">
            <a class="button" href="/sign-up" data-command="Open an account">
              Open an account
            </a>
            <a class="button plain" href="/sign-in">
              Sign in
            </a>
          </p>
        </div>
        <FrontDoor />
      </section>
      <ul class="four">
        <li>
          <Icon name="globe" />
          <h2>A name</h2>
          <p>One word that leads to your box, wherever your provider moves it today.</p>
        </li>
        <li>
          <Icon name="door" />
          <h2>A door</h2>
          <p>
            Its page in any browser, over a line that the box itself opens to us. Private until you
            say otherwise.
          </p>
        </li>
        <li>
          <Icon name="key" />
          <h2>Keys</h2>
          <p>
            Only you, people you list, or everyone. You change it in one place and it holds at once.
          </p>
        </li>
        <li>
          <Icon name="bell" />
          <h2>A bell</h2>
          <p>Word from the box when something happens. Not built yet; we say so when it is.</p>
        </li>
      </ul>
      <div class="promise">
        <section>
          <h2>The privacy policy is a program</h2>
          <p>
            What we hold, why, for how long, who sees it and what deletes it is written down once,
            in the code. The page you read, the deletion that runs and the tests that check it all
            come from there. A thing that is not declared cannot be stored.
          </p>
          <p>
            <a href="/privacy">Read what we hold</a>
          </p>
        </section>
        <section>
          <h2>What you should know first</h2>
          <p>
            Every feature is off until you switch it on, and switching it off deletes what it kept.
            What passes through the door is never stored. It is encrypted between your browser and
            us, and between us and your box; while it passes, our relay can read it. If that is too
            much, put your own encryption behind the door.
          </p>
        </section>
      </div>
    </>
  );
}

/** A painted door: the name on the plate, the bell beside it, the keyhole in brass. */
function FrontDoor() {
  return (
    <svg class="front-door" viewBox="0 0 360 470" aria-hidden="true" focusable="false">
      <path class="fd-step" d="M36 446h288v12H36z" />
      <path class="fd-step" d="M18 458h324v12H18z" />
      <path class="fd-frame" d="M62 446V164a118 118 0 0 1 236 0v282z" />
      <path class="fd-glass" d="M84 158a96 96 0 0 1 192 0z" />
      <path class="fd-bar" d="M180 158V62M180 158L112 90M180 158l68-68" />
      <path class="fd-leaf" d="M84 170h192v276H84z" />
      <rect class="fd-panel" x="102" y="232" width="68" height="82" rx="3" />
      <rect class="fd-panel" x="190" y="232" width="68" height="82" rx="3" />
      <rect class="fd-panel" x="102" y="346" width="68" height="82" rx="3" />
      <rect class="fd-panel" x="190" y="346" width="68" height="82" rx="3" />
      <rect class="fd-brass" x="138" y="186" width="84" height="30" rx="4" />
      <text class="fd-plate" x="180" y="207" text-anchor="middle">
        attic
      </text>
      <rect class="fd-brass" x="252" y="312" width="16" height="50" rx="8" />
      <circle class="fd-dark" cx="260" cy="345" r="4" />
      <path class="fd-dark" d="M258 346h4l1.500 9h-7z" />
      <circle class="fd-brass" cx="260" cy="325" r="11" />
      <circle class="fd-brass" cx="316" cy="300" r="12" />
      <circle class="fd-dark" cx="316" cy="300" r="4.500" />
      <path class="fd-brass-line" d="M118 330h44" />
    </svg>
  );
}
