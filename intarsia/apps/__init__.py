"""What people build with Intarsia."""
