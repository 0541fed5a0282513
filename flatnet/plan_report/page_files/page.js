(() => {
  'use strict';
  const byId = (id) => document.getElementById(id);

  // ---- Addresses: text -> [family, value]; nothing for anything else
  const parseAddress = (text) => {
    const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
    if (four) {
      const parts = four.slice(1).map(Number);
      return parts.every((part) => part < 256) ? [4, parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n)] : null;
    }
    const halves = text.split('::');
    if (!text.includes(':') || !/^[0-9a-f:]+$/.test(text) || halves.length > 2) return null;
    const [head, tail] = halves.map((half) => (half ? half.split(':') : []));
    const missing = 8 - head.length - (tail ? tail.length : 0);
    if (tail ? missing < 1 : missing !== 0) return null;
    const groups = [...head, ...Array(missing).fill('0'), ...(tail || [])];
    if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return null;
    return [6, groups.reduce((sum, group) => sum * 65536n + BigInt('0x' + group), 0n)];
  };
  const holds = (network, [family, value]) =>
    network.family === family && value >> network.shift === network.first >> network.shift;
  const parseNetwork = (text) => {
    const [address, prefix] = text.split('/');
    const parsed = parseAddress(address);
    return parsed && prefix ? { family: parsed[0], first: parsed[1], shift: BigInt((parsed[0] === 4 ? 32 : 128) - prefix) } : null;
  };

  // ---- Nodes: search, sort, show all
  const table = byId('nodes-table');
  const body = table.tBodies[0];
  const search = byId('nodes-search');
  const more = byId('nodes-more');
  const limit = Number(more.dataset.limit);
  const total = body.rows.length;
  const format = (count) => count.toLocaleString('en');
  let all = false;
  let entries = null;
  const read = () => {
    entries = entries || Array.from(body.rows, (row) => ({
      row,
      text: Array.from(row.cells, (cell) => cell.textContent).join(' ').toLowerCase(),
      networks: row.cells[3].textContent.split('\n').map(parseNetwork).filter(Boolean),
    }));
    return entries;
  };
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const addresses = words.map(parseAddress);
    let found = 0;
    for (const entry of read()) {
      const matches = words.every((word, index) =>
        entry.text.includes(word) || (addresses[index] && entry.networks.some((network) => holds(network, addresses[index]))));
      entry.row.hidden = !matches;
      entry.row.classList.toggle('later', matches && !all && found >= limit);
      if (matches) found += 1;
    }
    byId('nodes-found').textContent = `${format(found)} of ${format(total)}`;
    byId('nodes-none').hidden = found > 0;
    more.hidden = all || found <= limit;
    more.textContent = `Show all ${format(found)}`;
  };
  search.addEventListener('input', show);
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && search.value) { search.value = ''; show(); event.preventDefault(); }
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target === search) return;
    event.preventDefault();
    search.focus();
  });
  more.addEventListener('click', () => {
    const next = body.querySelector('tr.later');
    all = true;
    show();
    if (next) { next.tabIndex = -1; next.focus(); }
  });
  const collator = new Intl.Collator('en', { numeric: true });
  const columns = Array.from(table.tHead.rows[0].cells);
  columns.forEach((column, index) => column.firstElementChild.addEventListener('click', () => {
    const direction = column.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
    columns.forEach((other) => other.setAttribute('aria-sort', other === column ? direction : 'none'));
    const sign = direction === 'ascending' ? 1 : -1;
    const keyed = read().map((entry) => {
      const cell = entry.row.cells[index];
      return { entry, key: cell.dataset.key ?? cell.textContent };
    });
    keyed.sort((a, b) => sign * collator.compare(a.key, b.key) || collator.compare(a.entry.text, b.entry.text));
    entries = keyed.map((item) => item.entry);
    body.append(...entries.map((entry) => entry.row));
    show();
  }));
  const goTo = (host) => {
    const row = Array.from(body.rows).find((candidate) => candidate.dataset.host === host);
    if (!row) return;
    if (row.hidden || row.classList.contains('later')) { search.value = ''; all = true; show(); }
    body.querySelectorAll('.hit').forEach((other) => other.classList.remove('hit'));
    row.classList.add('hit');
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'center', behavior: 'instant' });
  };

  // ---- Pictures: one stop for the tab key each, arrow keys inside, what is pointed at in words below
  const middle = (option) => {
    const box = option.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const nearest = (options, from, vertical, sign) => {
    const [x, y] = middle(from);
    let best = null;
    let least = Infinity;
    for (const option of options) {
      const [u, v] = middle(option);
      const ahead = sign * (vertical ? v - y : u - x);
      const aside = Math.abs(vertical ? u - x : v - y);
      const far = ahead + 3 * aside;
      if (ahead > 1 && far < least) { best = option; least = far; }
    }
    return best;
  };
  const keys = { ArrowLeft: [false, -1], ArrowRight: [false, 1], ArrowUp: [true, -1], ArrowDown: [true, 1] };
  document.querySelectorAll('[role=listbox]').forEach((box) => {
    const options = Array.from(box.children);
    if (!options.length) return;
    const readout = box.closest('figure').querySelector('.readout');
    const say = (option) => { readout.textContent = option.querySelector('title').textContent; };
    options.forEach((option, index) => {
      option.setAttribute('tabindex', index ? '-1' : '0');
      option.setAttribute('aria-selected', 'false');
    });
    let current = options[0];
    const select = (option) => {
      current.setAttribute('tabindex', '-1');
      current.setAttribute('aria-selected', 'false');
      current = option;
      option.setAttribute('tabindex', '0');
      option.setAttribute('aria-selected', 'true');
      say(option);
    };
    const optionOf = (event) => event.target.closest('[role=option]');
    box.addEventListener('focusin', (event) => select(optionOf(event)));
    box.addEventListener('mouseover', (event) => { const option = optionOf(event); if (option) say(option); });
    box.addEventListener('click', (event) => { const option = optionOf(event); if (option && option.dataset.host) goTo(option.dataset.host); });
    box.addEventListener('keydown', (event) => {
      const index = options.indexOf(current);
      let next = null;
      if (event.key in keys) {
        const [vertical, sign] = keys[event.key];
        next = nearest(options, current, vertical, sign) || options[index + sign];
      } else if (event.key === 'Home') next = options[0];
      else if (event.key === 'End') next = options[options.length - 1];
      else if ((event.key === 'Enter' || event.key === ' ') && current.dataset.host) goTo(current.dataset.host);
      else return;
      event.preventDefault();
      if (next) next.focus();
    });
  });
})();
