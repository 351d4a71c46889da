// The log-in page: says why the last try failed. The form works without this.

const MESSAGES = {
  'wrong-token': 'This token is not known. Check that it was copied whole.',
  'too-many': 'Too many wrong tokens. Wait a moment, then try again.',
};

const error = new URLSearchParams(location.search).get('error');
if (error) {
  const place = document.getElementById('error');
  place.textContent = MESSAGES[error] ?? MESSAGES['wrong-token'];
  place.hidden = false;
  document.getElementById('token').setAttribute('aria-describedby', 'error');
}
