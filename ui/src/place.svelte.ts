/** Where the window is: the part of the address behind `#/`. Never holds a value. */
class Place {
  path = $state('');

  watch(): void {
    const read = () => (this.path = location.hash.replace(/^#\/?/, ''));
    window.addEventListener('hashchange', read);
    read();
  }

  go(path: string): void {
    location.hash = `#/${path}`;
    this.path = path;
  }

  /** The kind of form of `#/new/<kind>`. */
  kind = $derived(/^new\/([\w-]+)$/.exec(this.path)?.[1]);
}

export const place = new Place();
