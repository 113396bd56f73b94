"""Full Fourier, cosine and sine transforms, through FFTW, pocketfft and torch.fft."""
