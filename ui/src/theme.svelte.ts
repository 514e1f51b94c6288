export type Theme = 'system' | 'light' | 'dark';

class Look {
  theme = $state<Theme>('system');

  use(theme: Theme): void {
    this.theme = theme;
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }
}

export const look = new Look();
