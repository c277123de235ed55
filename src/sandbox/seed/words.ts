/** The stuff that seed documents are made of. Names and sentences beyond ASCII on purpose. */

export const FIRST_NAMES = [
  'Ada',
  'Amélie',
  'Aylin',
  'Björn',
  'Chiamaka',
  'Chloé',
  'Dmitri',
  'Eléna',
  'Fatima',
  'Grace',
  'Hiroko',
  'İpek',
  'Jörg',
  'José',
  'Kofi',
  'Lærke',
  'Łukasz',
  'Mai',
  'Mehmet',
  'Nguyễn',
  'Noa',
  'Olena',
  'Pádraig',
  'Quinn',
  'Renée',
  'Saoirse',
  'Søren',
  'Tomáš',
  'Uma',
  'Věra',
  'Wei',
  'Xóchitl',
  'Yuki',
  'Zoë',
  '美咲',
  '지우',
  'Ольга',
  'ليلى',
];

export const LAST_NAMES = [
  'Abiodun',
  'Andersson',
  'Brontë',
  'Chen',
  'Čapek',
  'Dvořák',
  'Eriksen',
  'Fernández',
  'García',
  'Håkansson',
  'Ibáñez',
  'Jansen',
  'Kowalczyk',
  'Lévesque',
  'Müller',
  'Nakamura',
  'Ó Briain',
  'Papadopoulos',
  'Quispe',
  'Rossi',
  'Şahin',
  'Smith',
  'Sørensen',
  'Tanaka',
  'Uzun',
  'Vaszary',
  'Weiß',
  'Yılmaz',
  'Zieliński',
  '田中',
  '김',
  'Иванова',
  'حداد',
  "O'Hara",
];

export const PLACES = [
  { city: 'São Paulo', state: 'SP', country: 'BR', zip: '01310-100' },
  { city: 'Zürich', state: 'ZH', country: 'CH', zip: '8001' },
  { city: 'Kraków', state: 'Małopolska', country: 'PL', zip: '30-001' },
  { city: 'Portland', state: 'OR', country: 'US', zip: '97201' },
  { city: 'Montréal', state: 'QC', country: 'CA', zip: 'H2X 1Y4' },
  { city: '京都市', state: '京都府', country: 'JP', zip: '600-8001' },
  { city: 'Nairobi', state: 'Nairobi', country: 'KE', zip: '00100' },
  { city: 'Reykjavík', state: 'Höfuðborgarsvæðið', country: 'IS', zip: '101' },
  { city: 'Austin', state: 'TX', country: 'US', zip: '78701' },
  { city: 'İzmir', state: 'İzmir', country: 'TR', zip: '35210' },
] as const;

export const DISCIPLINES = [
  'Karate',
  'Judo',
  'Aikidō',
  'Taekwondo',
  'Brazilian Jiu-Jitsu',
  'Kendō',
  'Capoeira',
  'Muay Thai',
  '太極拳',
  'Krav Maga',
];

export const RANKS = [
  'white',
  'yellow',
  'orange',
  'green',
  'blue',
  'brown',
  'black (1. dan)',
  'black (3. dan)',
];

export const USER_AGENTS = [
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
];

const TEXT = `the a of and in to with for on from our their every first next last quiet strong careful open young
  teacher student member training class lesson stance balance breath strike throw fall kata form belt rank mat hall
  school journey practice morning evening weekend summer winter respect patience courage discipline focus memory rhythm
  learns teaches shows keeps builds returns begins follows guards moves listens bows trains grows helps invites
  dōjō sensei naïve café jeu über años niño señora façade crème smörgås 道場 先生 稽古 добро мир قوة — “quoted” ½ € ✓ 🥋`;
export const WORDS = TEXT.split(/\s+/);
