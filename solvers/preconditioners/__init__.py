"""Classical preconditioners behind one interface: M ≈ A⁻¹, for cg of scipy, of pyamg and of opforge."""
