"""Live streams: one recorder, any number of subscribers, and publishing that waits for none of them."""
