import { forms } from './forms.svelte';
import { shell } from './host';
import { lock } from './lock.svelte';

/** What the program around the page wants of it before the window goes: to ask, or to lock as it is. */
export type Wish = 'ask' | 'lock';

/** Closing the window would lose what is typed in it. */
class Closing {
  /** It is asked whether that is meant. */
  asked = $state(false);
  /** Forms that hold something typed and were not sent. */
  unsent = $derived([...Object.values(forms.drafts), ...Object.values(forms.aside).flat()].filter((draft) => draft.touched && !draft.outcome).length);

  /** Somebody closes the window. Locked it asks nothing: who passes by has nothing to decide. Closing once more is an answer. */
  hear(wish: Wish): void {
    if (wish === 'ask' && this.asked) return this.discard();
    if (wish === 'lock') {
      this.asked = false;
      lock.lock();
    }
    this.asked = !lock.locked;
    shell.sayOfClosing(this.asked ? 'asked' : 'locked');
  }

  keep(): void {
    if (!this.asked) return;
    this.asked = false;
    shell.sayOfClosing('kept');
  }

  discard(): void {
    if (this.asked) shell.sayOfClosing('discarded');
  }

  /** What was asked is out of date once the window is locked, or everything is sent. */
  look(): void {
    if (lock.locked || this.unsent === 0) this.keep();
  }
}

export const closing = new Closing();
