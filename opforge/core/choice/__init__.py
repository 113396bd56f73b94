"""The choice among back ends: who can serve, what each costs, what was measured, and how to ask and to decide."""
