"""Who a process is: SPIFFE names in short-lived certificates, renewed in flight, checked on both sides."""
