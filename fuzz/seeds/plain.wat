;; Nothing but what every plugin has.
