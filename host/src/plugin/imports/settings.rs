//! `wasi:config`: the settings of the plugin's own section, secret ones among
//! them. A key that is not there is none, as it is where nothing is granted.

use super::CallState;
use super::generated::wasi::config::store::{Error, Host};

impl Host for CallState {
    fn get(&mut self, key: String) -> Result<Option<String>, Error> {
        Ok(self.grants.setting(&key).map(str::to_owned))
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, Error> {
        let all = self.grants.settings();
        Ok(all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}
